"""The right answer by the definition, and the interval that a contract allows. Shares no code with what it judges."""
