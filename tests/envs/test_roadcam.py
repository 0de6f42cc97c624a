"""The reference world: spaces, determinism, exact motion, true labels, and pictures that agree with both."""

import gymnasium as gym
import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env

import envs  # noqa: F401 (registers)
from agents.scripted import ScriptedDriver
from envs import kinematics, spaces
from envs.reference.roadcam import RoadCamEnv
from envs.reference.roads import build_road
from envs.scenario import LANES_OF, Scenario
from worldsim.types import COMMANDS, LABEL_FIELDS, LEAD_RANGE_M, ROADS, CameraSpec

SMALL = {"front": CameraSpec.from_fov(16, 8)}
STRAIGHT_ON = np.zeros(2, dtype=np.float32)


def rollout(env: RoadCamEnv, steps: int, seed: int, action: np.ndarray = STRAIGHT_ON) -> list[tuple]:
    rng = np.random.default_rng(seed)
    seen = [env.reset(seed=seed)]
    for _ in range(steps):
        observation, _, terminated, truncated, info = env.step(action + rng.uniform(-0.1, 0.1, 2))
        seen.append((observation, info))
        if terminated or truncated:
            break
    return seen


@pytest.mark.filterwarnings("error")
def test_gymnasium_finds_nothing_to_complain_about() -> None:
    check_env(gym.make("envs:worldsim/RoadCam-v0", scenario="highway", render_mode="rgb_array").unwrapped)


@pytest.mark.parametrize("road", ROADS)
def test_every_road_steps_and_tells_all(road: str) -> None:
    env = RoadCamEnv(road, grace_steps=None)
    for observation, info in rollout(env, 8, seed=3):
        assert env.observation_space.contains(observation)
        assert set(info) == set(spaces.INFO_KEYS)
        assert set(info["labels"]) == set(LABEL_FIELDS) and np.isfinite(list(info["labels"].values())).all()
        assert tuple(info["reward_terms"]) == spaces.REWARD_TERMS
        assert info["fields"].road == road


def test_every_step_of_every_env_is_counted_and_no_reset_or_refused_action_is() -> None:
    first, second = RoadCamEnv("highway", cameras=SMALL), RoadCamEnv("curves", cameras=SMALL)
    before = RoadCamEnv.steps_taken
    for env in (first, second):
        env.reset(seed=0)
    with pytest.raises(ValueError, match="expected an action"):
        first.step(np.array([2.0, 0.0]))
    assert RoadCamEnv.steps_taken == before
    first.step(STRAIGHT_ON)
    second.step(STRAIGHT_ON)
    second.step(STRAIGHT_ON)
    assert RoadCamEnv.steps_taken == before + 3 == first.steps_taken == second.steps_taken


@pytest.mark.parametrize("road", ["merge", "intersection"])
def test_a_seed_fixes_frames_and_states(road: str) -> None:
    first, second = (rollout(RoadCamEnv(road, grace_steps=None), 12, seed=5) for _ in range(2))
    for (seen, info), (again, info_again) in zip(first, second, strict=True):
        np.testing.assert_array_equal(seen["camera"], again["camera"])
        np.testing.assert_array_equal(info["pose"], info_again["pose"])
        assert info["labels"] == info_again["labels"] and info["boxes"] == info_again["boxes"]
    other = rollout(RoadCamEnv(road, grace_steps=None), 0, seed=6)
    assert (other[0][0]["camera"] != first[0][0]["camera"]).any()


def test_recorded_motion_leads_along_the_recorded_poses() -> None:
    env = RoadCamEnv("curves", cameras=SMALL, grace_steps=None)
    env.reset(seed=1)
    driver = ScriptedDriver()
    driver.reset(env, np.random.default_rng(0))
    pose = env.ego.pose
    for _ in range(100):
        *_, info = env.step(driver.act())
        pose = kinematics.compose(pose, info["motion"])
        np.testing.assert_allclose(pose[:2], info["pose"][:2], atol=1e-4)
        assert info["motion"][3] == pytest.approx(info["ego"][0], abs=1e-5)


def test_steering_left_moves_the_ego_left_and_the_picture_right() -> None:
    for sign in (1.0, -1.0):
        env = RoadCamEnv(Scenario(road="highway", lanes=3, traffic="none", ego_speed_mps=15), grace_steps=None)
        _, before = env.reset(seed=2)
        far = env.reset(seed=2)[0]["camera"][14:30].astype(np.float32).mean(-1)
        for _ in range(3):
            observation, *_, after = env.step(np.array([sign * 0.6, 0.0], dtype=np.float32))
        assert sign * (after["pose"][2] - before["pose"][2]) > 0.02
        assert sign * (after["labels"]["lane_offset_m"] - before["labels"]["lane_offset_m"]) > 0
        now = observation["camera"][14:30].astype(np.float32).mean(-1)
        shifts = range(-14, 15)
        match = [_correlation(far, np.roll(now, -shift, axis=1)) for shift in shifts]
        assert sign * shifts[int(np.argmax(match))] > 1, "the far field must move against the turn"


def _correlation(a: np.ndarray, b: np.ndarray) -> float:
    inner = slice(16, -16)
    return float(np.corrcoef(a[:, inner].ravel(), b[:, inner].ravel())[0, 1])


def test_off_the_road_ends_the_episode_at_once_or_after_the_grace() -> None:
    scene = Scenario(road="highway", lanes=2, traffic="none", ego_speed_mps=15)
    ends = {}
    for grace in (0, 12):
        env = RoadCamEnv(scene, cameras=SMALL, grace_steps=grace)
        env.reset(seed=0)
        for _ in range(300):
            _, reward, terminated, truncated, info = env.step(np.array([-0.5, 0.0], dtype=np.float32))
            if terminated or truncated:
                break
        assert terminated and info["labels"]["offroad"] == 1.0 and reward < -3
        ends[grace] = info["step"]
    assert ends[12] == ends[0] + 12


def test_running_into_the_lead_is_a_collision_and_the_labels_saw_it_coming() -> None:
    env = RoadCamEnv(Scenario(road="two_way", lanes=1, traffic="heavy"), cameras=SMALL)
    env.reset(seed=4)
    driver = ScriptedDriver()
    driver.reset(env, np.random.default_rng(0))
    for _ in range(300):
        steering = driver.act()[0]
        *_, terminated, _, info = env.step(np.array([steering, 1.0], dtype=np.float32))
        if terminated:
            break
        previous = info["labels"]
    assert info["labels"]["collision"] == 1.0 and previous["lead_distance_m"] < 6
    assert previous["closing_speed_mps"] > 1 and info["reward_terms"]["collision"] == -1.0


def test_lead_distance_is_bumper_to_bumper_along_the_lane() -> None:
    env = RoadCamEnv(Scenario(road="highway", lanes=2, traffic="medium"), grace_steps=None)
    env.reset(seed=0)
    truth = env.truth
    expected = LEAD_RANGE_M
    for other in env.traffic.others:
        along, lateral = other.position[0] - env.ego.position[0], other.position[1] - truth.lane.points[0, 1]
        if abs(lateral) < 1.5 and along > 0:
            expected = min(expected, along - (other.LENGTH + env.ego.LENGTH) / 2)
    assert expected < LEAD_RANGE_M and truth.lead_distance == pytest.approx(expected, abs=0.05)


@pytest.mark.parametrize("wish", COMMANDS[1:])
@pytest.mark.parametrize("road", ["intersection", "roundabout"])
def test_a_wished_command_is_announced_and_driven(road: str, wish: str) -> None:
    env = RoadCamEnv(Scenario(road=road, traffic="none", command=wish, horizon_s=40), cameras=SMALL)
    env.reset(seed=0)
    driver = ScriptedDriver()
    driver.reset(env, np.random.default_rng(0))
    headings, commands = [], set()
    for _ in range(400):
        observation, _, terminated, _, info = env.step(driver.act())
        assert not terminated
        if observation["command"]:
            commands.add(COMMANDS[observation["command"]])
            headings.append(info["pose"][2])
        elif headings:
            break
    change = float(kinematics.wrap(headings[-1] - headings[0]))
    assert commands == {wish}
    assert {"left": change > 1.0, "straight": abs(change) < 0.5, "right": change < -1.0}[wish]


@pytest.mark.parametrize(
    ("action", "message"),
    [
        (np.array([np.nan, 0.0]), "NaN"),
        (np.array([0.0, 1.2]), r"in \[-1, 1\]"),
        (np.zeros(3), r"got shape \(3,\)"),
        ("left", "got str"),
    ],
)
def test_bad_actions_are_refused_with_reason(action: object, message: str) -> None:
    env = RoadCamEnv("highway")
    env.reset(seed=0)
    with pytest.raises(ValueError, match=message):
        env.step(action)
    env.step(STRAIGHT_ON)  # and the env goes on


def test_misuse_is_explained() -> None:
    with pytest.raises(gym.error.ResetNeeded, match="before reset"):
        RoadCamEnv("highway").step(STRAIGHT_ON)
    with pytest.raises(ValueError, match=r"did you mean 'rain'"):
        RoadCamEnv("highway", weather="rainy")
    with pytest.raises(ValueError, match=r"did you mean 'rgb_array'"):
        RoadCamEnv("highway", render_mode="rgb_aray")
    with pytest.raises(ValueError, match=r"unknown reset option 'scenaro'"):
        RoadCamEnv("highway").reset(options={"scenaro": "curves"})


def test_overrides_and_options_reach_the_scene() -> None:
    env = RoadCamEnv("highway", weather="snow", time_of_day="night", traffic="none")
    _, info = env.reset(seed=0, options={"scenario": "curves"})
    assert (info["fields"].road, info["fields"].weather, info["fields"].time_of_day) == ("curves", "snow", "night")
    assert "snow" in info["caption"] and not env.traffic.others


def test_further_cameras_appear_by_name() -> None:
    env = RoadCamEnv("highway", cameras={"front": CameraSpec(), "rear": CameraSpec(48, 32, yaw_rad=np.pi)})
    observation, _ = env.reset(seed=0)
    assert observation["camera"].shape == (64, 128, 3) and observation["camera_rear"].shape == (32, 48, 3)


def test_standard_wrappers_and_vector_envs_work() -> None:
    env = gym.make("worldsim/RoadCam-v0", scenario="two_way", max_steps=6, grace_steps=None)
    env = gym.wrappers.FrameStackObservation(gym.wrappers.RecordEpisodeStatistics(env), 4)
    observation, _ = env.reset(seed=0)
    assert observation["camera"].shape == (4, 64, 128, 3)
    for _ in range(6):
        *_, truncated, info = env.step(STRAIGHT_ON)
    assert truncated and info["episode"]["l"] == 6
    envs_ = gym.make_vec("worldsim/RoadCam-v0", num_envs=2, scenario="any", max_steps=3)
    envs_.reset(seed=0)
    for _ in range(5):
        _, _, _, _, infos = envs_.step(np.zeros((2, 2), dtype=np.float32))
    assert len(infos["boxes"]) == 2


def test_record_video_writes_a_film(tmp_path) -> None:  # type: ignore[no-untyped-def]
    pytest.importorskip("moviepy")
    env = gym.make("worldsim/RoadCam-v0", scenario="curves", max_steps=5, render_mode="rgb_array")
    env = gym.wrappers.RecordVideo(env, str(tmp_path / "film"))
    env.reset(seed=0)
    for _ in range(5):
        env.step(STRAIGHT_ON)
    env.close()
    assert list(tmp_path.glob("film/*.mp4"))


@pytest.mark.parametrize("road", ROADS)
def test_roads_are_drivable_and_painted(road: str) -> None:
    built = build_road(road, LANES_OF[road][-1], 900.0, np.random.default_rng(0))
    network = built.network
    for index, lane in zip(network.indexes, network.lanes, strict=True):
        assert network.on_surface(lane.position(lane.length / 2, 0.0))
        for following in network.successors[index]:
            turn = network.get_lane(following).headings[0] - lane.headings[-1]
            assert abs(kinematics.wrap(turn)) < 0.06, "lanes must join without a kink"
    lines = built.picture.lines
    dashed = any(line.style == "dashed" for line in lines)
    assert dashed == (LANES_OF[road][-1] > 1), "dashed paint between lanes of one direction"
    assert any(line.colour == "yellow" for line in lines) == (road in ("two_way", "intersection", "roundabout"))
    for edge in built.picture.edges:  # the roadside lies to the left of an edge
        middle, ahead = edge[len(edge) // 2 - 1], edge[len(edge) // 2]
        normal = np.array([-(ahead - middle)[1], (ahead - middle)[0]]) / np.hypot(*(ahead - middle))
        assert not network.on_surface((middle + ahead) / 2 + 0.3 * normal)
