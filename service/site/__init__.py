"""The pages for people: ``/``, the guides of docs/ at ``/guides``, ``/problems``, and the reference at ``/docs``.

Only the reference has scripts. No page needs another server.
"""
