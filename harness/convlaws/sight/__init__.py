"""How far the judge sees: mutants hunted under a clock, by the laws and by what people do without them."""
