"""What was made never trains on what judges: neither the record itself nor its parent."""

from collections.abc import Sequence

import numpy as np
import pyarrow as pa

from allrounder.records.sources.ledger import PARENT


def parents_in(batch: pa.RecordBatch) -> np.ndarray:
    """Return the hash of what each record of a ledger was made from."""
    return np.array([int(key, 16) for key in batch[PARENT].to_pylist()], np.uint64)


def judged_keys(tables: Sequence[pa.Table]) -> np.ndarray:
    """Return the hashes of the records in validation and test."""
    found = [table["key"].to_numpy()[table["split"].to_numpy() > 0] for table in tables]
    return np.unique(np.concatenate([np.zeros(0, np.uint64), *found]))


def sheltered(table: pa.Table, parents: np.ndarray, judged: np.ndarray) -> pa.Table:
    """Return the records of a ledger of which neither content nor parent judges.

    Splits may change after labels were made, so this is looked at whenever records are read.

    Args:
        table: the records.
        parents: by row of the ledger, the hash of the record it was made from.
        judged: the hashes of validation and test records.
    """
    made = table["key"].to_numpy(), parents[table["row"].to_numpy()]
    leaks = np.isin(made[0], judged) | np.isin(made[1], judged)
    return table.filter(pa.array(~leaks)) if leaks.any() else table
