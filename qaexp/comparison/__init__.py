"""Which run is better, and is it really: tables, paired tests, flips and a report from run directories alone."""
