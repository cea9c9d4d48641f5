CREATE TABLE orders (
  date       timestamptz   NOT NULL,
  "order"    varchar(16)   NOT NULL,
  stock_code varchar(16)   NOT NULL,
  quantity   integer       NOT NULL,
  price      decimal(9,2)  NOT NULL,
  total      decimal(12,2) NOT NULL,
  customer   varchar(16),
  country    varchar(40)   NOT NULL
);
