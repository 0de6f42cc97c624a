"""The commands that ``agents`` adds to ``worldsim``. Their modules load when they run."""

from __future__ import annotations

from worldsim.cli.command import Command

DEMO = Command(
    "demo",
    summary="teach a policy in the learned world, drive both worlds side by side and write a page that shows it all",
    example="out=demo policy_minutes=4",
    config="agents.demo.command:DemoConfig",
    run="agents.demo.command:run",
    place=5,
)

COLLECT = Command(
    "collect",
    summary="drive the reference world with good and bad drivers and record episodes",
    example="out=data/road episodes=200 scenarios=[highway,roundabout]",
    config="agents.collect:CollectConfig",
    run="agents.collect:run",
    place=10,
)

GENERATE = Command(
    "generate",
    summary="drive one scenario many times, in either world, and write videos, episodes and a verdict of each run",
    example="scenario=night_rain_cut_in n=100 world=learned out=cut_ins",
    config="agents.scenes.generate:GenerateConfig",
    run="agents.scenes.generate:generate_command",
    place=72,
)

SHOTS = Command(
    "shots",
    summary="film one drive by several cameras, the same cars in each, and cut from one to the next",
    example="scenario=all_around shots=[front,left,rear,all] seconds=12 out=shots.mp4",
    config="agents.scenes.shots:ShotsConfig",
    run="agents.scenes.shots:shots_command",
    place=69,
)

SEARCH = Command(
    "search",
    summary="find the scenes in which an agent fails, in the learned world, and check each in the reference world",
    example="agent=runs/agent scenario=any steps=6000 out=runs/search",
    config="agents.search.search:SearchConfig",
    run="agents.search.search:search",
    place=96,
)

MAKE_STARTS = Command(
    "make-starts",
    summary="record the short drives from which a world's rollouts begin, and put them beside it",
    example="world=runs/dynamics/world per_scenario=16",
    config="agents.starts:MakeStartsConfig",
    run="agents.starts:make_starts",
    place=55,
)

EVALUATE = Command(
    "evaluate",
    summary="measure how far a world can be trusted, in tables and on a page; with data= on your own recorded drives",
    example="world=runs/dynamics/world quick=true out=runs/evaluation",
    config="agents.report.command:EvaluateConfig",
    run="agents.report.command:evaluate",
    place=60,
)

RELEASE = Command(
    "release",
    summary="ship a trained world: half precision, calibrated trust, start contexts and a model card",
    example="world=runs/dynamics/world data=data/road name=road",
    config="agents.release:ReleaseConfig",
    run="agents.release:release",
    place=80,
)

TRAIN_AGENT = Command(
    "train-agent",
    summary="train a driving policy inside the learned world, in the reference world or on recorded drives",
    example="method=imagination world=Drive-v0 minutes=10 out=runs/agent",
    config="agents.learning.settings:TrainAgentConfig",
    run="agents.learning.train:train_agent",
    place=90,
)

EVAL_AGENT = Command(
    "eval-agent",
    summary="drive a fixed list of drives with any agents in either world and print a table with intervals",
    example="agents=[scripted,random,runs/agent] world=RoadCam-v0 episodes=40",
    config="agents.judging.evaluate:EvalAgentConfig",
    run="agents.judging.evaluate:run",
    place=95,
)

EXPORT_AGENT = Command(
    "export-agent",
    summary="write a policy as one ONNX file that drives from camera frames, and check that it drives the same",
    example="agent=runs/agent out=policy.onnx",
    config="agents.policy.export:ExportAgentConfig",
    run="agents.policy.export:run",
    place=97,
)

COCKPIT = Command(
    "cockpit",
    summary="drive the learned world in the browser, with keys and words, beside the reference world",
    example="world=road out=drives",
    config="agents.cockpit.command:CockpitConfig",
    run="agents.cockpit.command:cockpit",
    place=76,
)
