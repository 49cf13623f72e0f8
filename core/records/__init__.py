"""What the layers hand each other: frozen records in the field's own words, with no effect on the world."""
