"""``worldsim demo``: the page of both worlds, opened by what a policy learned in one and does in the other."""

from __future__ import annotations

from dataclasses import dataclass

from envs.commands.demo import DemoConfig as WorldsConfig
from envs.commands.demo import check, demo
from worldsim.say import say
from worldsim.schema import option
from worldsim.serving.page import Scene, Section
from worldsim.types import FRAME_RATE_HZ

from ..judging.judge import REFERENCE, Judge, Venue
from ..judging.suite import Suite
from ..learning.imagination import ImaginationConfig
from .lesson import School
from .section import opening, summary

MOST_MINUTES = 60.0


@dataclass
class DemoConfig(WorldsConfig):
    """What to show, and where to put it."""

    policy_minutes: float = option(2.0, "minutes that a policy learns inside the learned world; 0: none does")
    policy_drives: int = option(16, "drives in the reference world by which each policy is judged")
    policy_seconds: float = option(20.0, "seconds of each such drive at most")
    imagination: ImaginationConfig = option(factory=ImaginationConfig, help="how the policy learns")
    workers: int = option(0, "processes that judge; 0: one a core")

    def __post_init__(self) -> None:
        super().__post_init__()
        if not 0.0 <= self.policy_minutes <= MOST_MINUTES:
            raise ValueError(
                f"policy_minutes: expected a number from 0 to {MOST_MINUTES:g}, got {self.policy_minutes:g}; for more, "
                "use `worldsim train-agent`"
            )
        if self.policy_drives < 1 or self.policy_seconds < 0.1:
            raise ValueError(
                "policy_drives and policy_seconds: expected at least 1 and at least 0.1, got "
                f"{self.policy_drives} and {self.policy_seconds:g}"
            )


def run(config: DemoConfig) -> None:
    """Teach a policy in the learned world; then, while another learns in the reference world, judge it and drive, film
    and measure both worlds; write the page.

    What was learned and judged is kept in ``config.out``: run again, it is not done anew. Raises ValueError for an
    unknown world or scenario, or a world without starts.
    """
    world, _ = check(config)
    if not config.policy_minutes:
        demo(config)
        return
    folder = config.out / "policies"
    suite = Suite(max_steps=round(config.policy_seconds * FRAME_RATE_HZ))
    judge = Judge(Venue(REFERENCE, config.world), folder / "judging", suite, config.workers)
    school = School(folder, judge, config.policy_drives, config.imagination)
    school.teach_inside(config.policy_minutes)
    with school.teach_outside() as outside:

        def first() -> list[Section | Scene]:
            lesson = school.verdict(outside)
            say(summary(lesson))
            return opening(lesson, world, folder)

        school.judge_inside()
        demo(config, first)
