SELECT country, day, count(*) AS lines, sum(quantity * price) AS total
FROM read_parquet('data/s3/lake/orders/*/*/*.parquet', hive_partitioning = true)
WHERE day >= DATE '2026-11-21' AND day < DATE '2026-11-23'
GROUP BY country, day
ORDER BY country, day
