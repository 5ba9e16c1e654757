"""The engine: walking costs on the network in whole ticks, exact and the same for any number of threads."""
