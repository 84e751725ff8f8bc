"""Read what a log says of a run as values without text: summary, results, costs, histories, differences."""
