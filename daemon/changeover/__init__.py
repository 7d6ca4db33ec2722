"""From one recipe to another while the line runs: loaded beside, compared, switched at a part."""
