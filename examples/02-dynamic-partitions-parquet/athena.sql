CREATE EXTERNAL TABLE shop.orders (
  `date` timestamp,
  `order` string,
  `stock_code` string,
  `quantity` int,
  `price` decimal(9,2),
  `customer` string
)
PARTITIONED BY (`country` string, `day` date)
STORED AS PARQUET
LOCATION 's3://lake/orders/'
TBLPROPERTIES (
  'projection.enabled' = 'true',
  'projection.country.type' = 'enum',
  'projection.country.values' = 'DE,FR,GB',
  'projection.day.type' = 'date',
  'projection.day.format' = 'yyyy-MM-dd',
  'projection.day.range' = '2026-01-01,NOW',
  'storage.location.template' = 's3://lake/orders/country=${country}/day=${day}/'
)
