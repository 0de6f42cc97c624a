"""A cockpit in the browser: ``worldsim cockpit`` serves a page in which one drives the learned world.

From the world outwards: ``catalogue`` (what there is), ``beginnings`` (how a drive begins), ``futures`` (one drive, or
two that share a past), ``moments``, ``truth`` and ``recording`` make up a ``session``, which knows nothing of the web.
``protocol``, ``connection``, ``guard`` and ``server`` carry it to ``page/``.
"""
