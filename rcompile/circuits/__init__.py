"""What the circuit around the cells does to a crossbar's sums."""
