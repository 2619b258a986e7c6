"""The forms that the tables had, in order. Each release can work with the tables of the next: columns and tables are
added, and removed one release after their last use."""

import logging

logging.getLogger("alembic").setLevel(logging.WARNING)  # it describes itself when it is imported and used
