"""Mail in a browser, at ``/app/``: the files that ``make web`` builds from web/, as they are.

The page knows the public API alone, so nothing here has anything to do with mail.
"""
