"""How workers reach each other: what they exchange, who starts them, and how they notice that one of them is lost."""
