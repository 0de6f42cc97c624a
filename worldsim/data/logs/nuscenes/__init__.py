"""nuScenes as episodes: tables through nuscenes-devkit, CAN bus, annotations and maps where they are."""
