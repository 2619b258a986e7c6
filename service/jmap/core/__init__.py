"""RFC 8620, without a word about mail: requests, result references, errors, arguments."""
