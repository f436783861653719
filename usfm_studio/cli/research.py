"""Commands for those who train and compare encoders. As in `commands`, a verb is imported when it runs."""
