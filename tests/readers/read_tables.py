#!/usr/bin/env python3
"""Opens every table of a lakehouse with readers that share no code with the product.

    read_tables.py ROOT

Prints one JSON object: table -> {reader: {"rows": n, "sums": {column: exact text}, "first": {...}, "last": {...}}}.
Readers: deltalake (the Delta log and protocol), Polars (through its own Delta scan), DuckDB (the live Parquet files).
"""
import json
import pathlib
import sys
from decimal import Decimal, getcontext

import deltalake
import duckdb
import polars as pl
import pyarrow.compute as pc
import pyarrow as pa


getcontext().prec = 80          # sums of 38 digits


def with_pyarrow(table):
    data = table.to_pyarrow_table()
    out = {"rows": data.num_rows, "sums": {}, "first": {}, "last": {}}
    for field in data.schema:
        column = data[field.name]
        if pa.types.is_decimal(field.type):
            total = sum((v for v in column.to_pylist() if v is not None), Decimal(0))
            out["sums"][field.name] = str(total.quantize(Decimal(1).scaleb(-field.type.scale)))
        elif pa.types.is_timestamp(field.type) and data.num_rows:
            bounds = pc.min_max(column).as_py()
            out["first"][field.name], out["last"][field.name] = (b and b.strftime("%Y-%m-%dT%H:%M:%S.%fZ") for b in (bounds["min"], bounds["max"]))
    return out


def with_polars(path):
    return {"rows": pl.scan_delta(str(path)).select(pl.len()).collect().item()}


def with_duckdb(table):
    files = table.file_uris()
    if not files:
        return {"rows": 0}
    rows = duckdb.sql("SELECT count(*) FROM read_parquet($files, hive_partitioning = true, union_by_name = true)", params={"files": files}).fetchall()[0][0]
    return {"rows": rows}


def main():
    root = pathlib.Path(sys.argv[1])
    result = {}
    for layer in ("bronze", "silver", "gold", "ops"):
        for path in sorted((root / layer).iterdir()):
            table = deltalake.DeltaTable(str(path))
            result[f"{layer}.{path.name}"] = {"deltalake": with_pyarrow(table), "polars": with_polars(path), "duckdb": with_duckdb(table)}
    print(json.dumps(result))


if __name__ == "__main__":
    main()
