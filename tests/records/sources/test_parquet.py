import pyarrow as pa
from pyarrow import parquet

from allrounder.records.sources import FORMATS


def test_columns_keep_their_types_and_dictionaries_become_plain(reading):
    file = reading.file(b"")
    table = pa.table({"a": [1, None], "b": pa.array(["x", "y"]).dictionary_encode()})
    parquet.write_table(table, file.path)
    (batch,) = FORMATS["parquet"].batches(file)
    assert batch.to_pydict() == {"a": [1, None], "b": ["x", "y"]}
    assert batch.schema.types == [pa.int64(), pa.string()]
    assert FORMATS["parquet"].places(file, [0, 16]) == ["a.x, row 1", "a.x, row 17"]


def test_a_file_of_another_format_is_named(reading):
    message = reading.refused("parquet", b"a,b\n1,2\n")
    assert message.startswith("a.x: expected a Parquet file, which cannot be read: ")
    assert message.endswith("Write it again, or name the right `format` in the source.")
