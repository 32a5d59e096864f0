"""DuckDB over the Parquet files of a sweep: opening it, its documented views, their SQL."""
