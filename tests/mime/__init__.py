"""Reading mail: what people send, what machines get wrong, and what attackers try."""
