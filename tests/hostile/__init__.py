"""A whole service in front of mail servers that want to stop it.

Each answer of ``answers.py`` is given to a service in a process of its own, while another account lists its folder and
``/healthz`` is asked: the event loop may not be held for 50 ms by any of them, nobody else may wait, and memory stays.
"""
