"""Rows in, projections out: the loop, the store, generations, and questions to them."""
