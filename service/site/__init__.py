"""The pages for people: ``/``, and the guides of docs/ at ``/guides``. No page needs a script or another server."""
