"""What a run's events amount to: results, files, statistics, accounts, progress and estimates."""
