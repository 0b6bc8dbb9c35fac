"""The steps of a run, one a file, in the order of `autoft.workflow.fine_tune`."""
