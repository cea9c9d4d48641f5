//! The table of shapes, second half: sources and destinations other than plain S3.
//!
//! Facts of the service's model (firehose 2015-08-04). No logic.

use super::inputs::*;
use super::shape::{Pattern, Shape, address, integer, list, not_blank, optional, plain_text, required, text};

pub(super) static KINESIS_STREAM_SOURCE_CONFIGURATION: Shape =
    Shape::Structure(&[required("KinesisStreamARN", &KINESIS_STREAM_ARN), required("RoleARN", &ROLE_ARN)]);
pub(in crate::api) static REDSHIFT_DESTINATION_CONFIGURATION: Shape = Shape::Structure(&[
    required("RoleARN", &ROLE_ARN),
    required("ClusterJDBCURL", &CLUSTER_JDBC_URL),
    required("CopyCommand", &COPY_COMMAND),
    optional("Username", &USERNAME),
    optional("Password", &PASSWORD),
    optional("RetryOptions", &REDSHIFT_RETRY_OPTIONS),
    required("S3Configuration", &S3_DESTINATION_CONFIGURATION),
    optional("ProcessingConfiguration", &PROCESSING_CONFIGURATION),
    optional("S3BackupMode", &REDSHIFT_S3_BACKUP_MODE),
    optional("S3BackupConfiguration", &S3_DESTINATION_CONFIGURATION),
    optional("CloudWatchLoggingOptions", &CLOUD_WATCH_LOGGING_OPTIONS),
    optional("SecretsManagerConfiguration", &SECRETS_MANAGER_CONFIGURATION),
]);
pub(super) static COPY_COMMAND: Shape = Shape::Structure(&[
    required("DataTableName", &DATA_TABLE_NAME),
    optional("DataTableColumns", &DATA_TABLE_COLUMNS),
    optional("CopyOptions", &COPY_OPTIONS),
]);
pub(super) static REDSHIFT_RETRY_OPTIONS: Shape =
    Shape::Structure(&[optional("DurationInSeconds", &REDSHIFT_RETRY_DURATION_IN_SECONDS)]);
pub(super) static SECRETS_MANAGER_CONFIGURATION: Shape = Shape::Structure(&[
    optional("SecretARN", &SECRET_ARN),
    optional("RoleARN", &ROLE_ARN),
    required("Enabled", &BOOLEAN_OBJECT),
]);
pub(in crate::api) static ELASTICSEARCH_DESTINATION_CONFIGURATION: Shape = Shape::Structure(&[
    required("RoleARN", &ROLE_ARN),
    optional("DomainARN", &ELASTICSEARCH_DOMAIN_ARN),
    optional("ClusterEndpoint", &ELASTICSEARCH_CLUSTER_ENDPOINT),
    required("IndexName", &ELASTICSEARCH_INDEX_NAME),
    optional("TypeName", &ELASTICSEARCH_TYPE_NAME),
    optional("IndexRotationPeriod", &ELASTICSEARCH_INDEX_ROTATION_PERIOD),
    optional("BufferingHints", &ELASTICSEARCH_BUFFERING_HINTS),
    optional("RetryOptions", &ELASTICSEARCH_RETRY_OPTIONS),
    optional("S3BackupMode", &ELASTICSEARCH_S3_BACKUP_MODE),
    required("S3Configuration", &S3_DESTINATION_CONFIGURATION),
    optional("ProcessingConfiguration", &PROCESSING_CONFIGURATION),
    optional("CloudWatchLoggingOptions", &CLOUD_WATCH_LOGGING_OPTIONS),
    optional("VpcConfiguration", &VPC_CONFIGURATION),
    optional("DocumentIdOptions", &DOCUMENT_ID_OPTIONS),
]);
pub(super) static ELASTICSEARCH_BUFFERING_HINTS: Shape = Shape::Structure(&[
    optional("IntervalInSeconds", &ELASTICSEARCH_BUFFERING_INTERVAL_IN_SECONDS),
    optional("SizeInMBs", &ELASTICSEARCH_BUFFERING_SIZE_IN_MBS),
]);
pub(super) static ELASTICSEARCH_RETRY_OPTIONS: Shape =
    Shape::Structure(&[optional("DurationInSeconds", &ELASTICSEARCH_RETRY_DURATION_IN_SECONDS)]);
pub(super) static VPC_CONFIGURATION: Shape = Shape::Structure(&[
    required("SubnetIds", &SUBNET_ID_LIST),
    required("RoleARN", &ROLE_ARN),
    required("SecurityGroupIds", &SECURITY_GROUP_ID_LIST),
]);
pub(super) static SUBNET_ID_LIST: Shape = list(&NON_EMPTY_STRING_WITHOUT_WHITESPACE, 1, 16);
pub(super) static SECURITY_GROUP_ID_LIST: Shape = list(&NON_EMPTY_STRING_WITHOUT_WHITESPACE, 1, 5);
pub(super) static DOCUMENT_ID_OPTIONS: Shape =
    Shape::Structure(&[required("DefaultDocumentIdFormat", &DEFAULT_DOCUMENT_ID_FORMAT)]);
pub(in crate::api) static OPENSEARCH_DESTINATION_CONFIGURATION: Shape = Shape::Structure(&[
    required("RoleARN", &ROLE_ARN),
    optional("DomainARN", &OPENSEARCH_DOMAIN_ARN),
    optional("ClusterEndpoint", &OPENSEARCH_CLUSTER_ENDPOINT),
    required("IndexName", &OPENSEARCH_INDEX_NAME),
    optional("TypeName", &OPENSEARCH_TYPE_NAME),
    optional("IndexRotationPeriod", &OPENSEARCH_INDEX_ROTATION_PERIOD),
    optional("BufferingHints", &OPENSEARCH_BUFFERING_HINTS),
    optional("RetryOptions", &OPENSEARCH_RETRY_OPTIONS),
    optional("S3BackupMode", &OPENSEARCH_S3_BACKUP_MODE),
    required("S3Configuration", &S3_DESTINATION_CONFIGURATION),
    optional("ProcessingConfiguration", &PROCESSING_CONFIGURATION),
    optional("CloudWatchLoggingOptions", &CLOUD_WATCH_LOGGING_OPTIONS),
    optional("VpcConfiguration", &VPC_CONFIGURATION),
    optional("DocumentIdOptions", &DOCUMENT_ID_OPTIONS),
]);
pub(super) static OPENSEARCH_BUFFERING_HINTS: Shape = Shape::Structure(&[
    optional("IntervalInSeconds", &OPENSEARCH_BUFFERING_INTERVAL_IN_SECONDS),
    optional("SizeInMBs", &OPENSEARCH_BUFFERING_SIZE_IN_MBS),
]);
pub(super) static OPENSEARCH_RETRY_OPTIONS: Shape =
    Shape::Structure(&[optional("DurationInSeconds", &OPENSEARCH_RETRY_DURATION_IN_SECONDS)]);
pub(in crate::api) static SPLUNK_DESTINATION_CONFIGURATION: Shape = Shape::Structure(&[
    required("HECEndpoint", &HEC_ENDPOINT),
    required("HECEndpointType", &HEC_ENDPOINT_TYPE),
    optional("HECToken", &HEC_TOKEN),
    optional("HECAcknowledgmentTimeoutInSeconds", &HEC_ACKNOWLEDGMENT_TIMEOUT_IN_SECONDS),
    optional("RetryOptions", &SPLUNK_RETRY_OPTIONS),
    optional("S3BackupMode", &SPLUNK_S3_BACKUP_MODE),
    required("S3Configuration", &S3_DESTINATION_CONFIGURATION),
    optional("ProcessingConfiguration", &PROCESSING_CONFIGURATION),
    optional("CloudWatchLoggingOptions", &CLOUD_WATCH_LOGGING_OPTIONS),
    optional("BufferingHints", &SPLUNK_BUFFERING_HINTS),
    optional("SecretsManagerConfiguration", &SECRETS_MANAGER_CONFIGURATION),
]);
pub(super) static SPLUNK_RETRY_OPTIONS: Shape =
    Shape::Structure(&[optional("DurationInSeconds", &SPLUNK_RETRY_DURATION_IN_SECONDS)]);
pub(super) static SPLUNK_BUFFERING_HINTS: Shape = Shape::Structure(&[
    optional("IntervalInSeconds", &SPLUNK_BUFFERING_INTERVAL_IN_SECONDS),
    optional("SizeInMBs", &SPLUNK_BUFFERING_SIZE_IN_MBS),
]);
pub(in crate::api) static HTTP_ENDPOINT_DESTINATION_CONFIGURATION: Shape = Shape::Structure(&[
    required("EndpointConfiguration", &HTTP_ENDPOINT_CONFIGURATION),
    optional("BufferingHints", &HTTP_ENDPOINT_BUFFERING_HINTS),
    optional("CloudWatchLoggingOptions", &CLOUD_WATCH_LOGGING_OPTIONS),
    optional("RequestConfiguration", &HTTP_ENDPOINT_REQUEST_CONFIGURATION),
    optional("ProcessingConfiguration", &PROCESSING_CONFIGURATION),
    optional("RoleARN", &ROLE_ARN),
    optional("RetryOptions", &HTTP_ENDPOINT_RETRY_OPTIONS),
    optional("S3BackupMode", &HTTP_ENDPOINT_S3_BACKUP_MODE),
    required("S3Configuration", &S3_DESTINATION_CONFIGURATION),
    optional("SecretsManagerConfiguration", &SECRETS_MANAGER_CONFIGURATION),
]);
pub(super) static HTTP_ENDPOINT_CONFIGURATION: Shape = Shape::Structure(&[
    required("Url", &HTTP_ENDPOINT_URL),
    optional("Name", &HTTP_ENDPOINT_NAME),
    optional("AccessKey", &HTTP_ENDPOINT_ACCESS_KEY),
]);
pub(super) static HTTP_ENDPOINT_BUFFERING_HINTS: Shape = Shape::Structure(&[
    optional("SizeInMBs", &HTTP_ENDPOINT_BUFFERING_SIZE_IN_MBS),
    optional("IntervalInSeconds", &HTTP_ENDPOINT_BUFFERING_INTERVAL_IN_SECONDS),
]);
pub(super) static HTTP_ENDPOINT_REQUEST_CONFIGURATION: Shape = Shape::Structure(&[
    optional("ContentEncoding", &CONTENT_ENCODING),
    optional("CommonAttributes", &HTTP_ENDPOINT_COMMON_ATTRIBUTES_LIST),
]);
pub(super) static HTTP_ENDPOINT_COMMON_ATTRIBUTES_LIST: Shape = list(&HTTP_ENDPOINT_COMMON_ATTRIBUTE, 0, 50);
pub(super) static HTTP_ENDPOINT_COMMON_ATTRIBUTE: Shape = Shape::Structure(&[
    required("AttributeName", &HTTP_ENDPOINT_ATTRIBUTE_NAME),
    required("AttributeValue", &HTTP_ENDPOINT_ATTRIBUTE_VALUE),
]);
pub(super) static HTTP_ENDPOINT_RETRY_OPTIONS: Shape =
    Shape::Structure(&[optional("DurationInSeconds", &HTTP_ENDPOINT_RETRY_DURATION_IN_SECONDS)]);
pub(in crate::api) static SERVERLESS_DESTINATION_CONFIGURATION: Shape = Shape::Structure(&[
    required("RoleARN", &ROLE_ARN),
    optional("CollectionEndpoint", &SERVERLESS_COLLECTION_ENDPOINT),
    required("IndexName", &SERVERLESS_INDEX_NAME),
    optional("BufferingHints", &SERVERLESS_BUFFERING_HINTS),
    optional("RetryOptions", &SERVERLESS_RETRY_OPTIONS),
    optional("S3BackupMode", &SERVERLESS_S3_BACKUP_MODE),
    required("S3Configuration", &S3_DESTINATION_CONFIGURATION),
    optional("ProcessingConfiguration", &PROCESSING_CONFIGURATION),
    optional("CloudWatchLoggingOptions", &CLOUD_WATCH_LOGGING_OPTIONS),
    optional("VpcConfiguration", &VPC_CONFIGURATION),
]);
pub(super) static SERVERLESS_BUFFERING_HINTS: Shape = Shape::Structure(&[
    optional("IntervalInSeconds", &SERVERLESS_BUFFERING_INTERVAL_IN_SECONDS),
    optional("SizeInMBs", &SERVERLESS_BUFFERING_SIZE_IN_MBS),
]);
pub(super) static SERVERLESS_RETRY_OPTIONS: Shape =
    Shape::Structure(&[optional("DurationInSeconds", &SERVERLESS_RETRY_DURATION_IN_SECONDS)]);
pub(super) static MSK_SOURCE_CONFIGURATION: Shape = Shape::Structure(&[
    required("MSKClusterARN", &MSK_CLUSTER_ARN),
    required("TopicName", &TOPIC_NAME),
    required("AuthenticationConfiguration", &AUTHENTICATION_CONFIGURATION),
    optional("ReadFromTimestamp", &READ_FROM_TIMESTAMP),
]);
pub(super) static AUTHENTICATION_CONFIGURATION: Shape =
    Shape::Structure(&[required("RoleARN", &ROLE_ARN), required("Connectivity", &CONNECTIVITY)]);
pub(in crate::api) static SNOWFLAKE_DESTINATION_CONFIGURATION: Shape = Shape::Structure(&[
    required("AccountUrl", &SNOWFLAKE_ACCOUNT_URL),
    optional("PrivateKey", &SNOWFLAKE_PRIVATE_KEY),
    optional("KeyPassphrase", &SNOWFLAKE_KEY_PASSPHRASE),
    optional("User", &SNOWFLAKE_USER),
    required("Database", &SNOWFLAKE_DATABASE),
    required("Schema", &SNOWFLAKE_SCHEMA),
    required("Table", &SNOWFLAKE_TABLE),
    optional("SnowflakeRoleConfiguration", &SNOWFLAKE_ROLE_CONFIGURATION),
    optional("DataLoadingOption", &SNOWFLAKE_DATA_LOADING_OPTION),
    optional("MetaDataColumnName", &SNOWFLAKE_META_DATA_COLUMN_NAME),
    optional("ContentColumnName", &SNOWFLAKE_CONTENT_COLUMN_NAME),
    optional("SnowflakeVpcConfiguration", &SNOWFLAKE_VPC_CONFIGURATION),
    optional("CloudWatchLoggingOptions", &CLOUD_WATCH_LOGGING_OPTIONS),
    optional("ProcessingConfiguration", &PROCESSING_CONFIGURATION),
    required("RoleARN", &ROLE_ARN),
    optional("RetryOptions", &SNOWFLAKE_RETRY_OPTIONS),
    optional("S3BackupMode", &SNOWFLAKE_S3_BACKUP_MODE),
    required("S3Configuration", &S3_DESTINATION_CONFIGURATION),
    optional("SecretsManagerConfiguration", &SECRETS_MANAGER_CONFIGURATION),
    optional("BufferingHints", &SNOWFLAKE_BUFFERING_HINTS),
]);
pub(super) static SNOWFLAKE_ROLE_CONFIGURATION: Shape =
    Shape::Structure(&[optional("Enabled", &BOOLEAN_OBJECT), optional("SnowflakeRole", &SNOWFLAKE_ROLE)]);
pub(super) static SNOWFLAKE_VPC_CONFIGURATION: Shape =
    Shape::Structure(&[required("PrivateLinkVpceId", &SNOWFLAKE_PRIVATE_LINK_VPCE_ID)]);
pub(super) static SNOWFLAKE_RETRY_OPTIONS: Shape =
    Shape::Structure(&[optional("DurationInSeconds", &SNOWFLAKE_RETRY_DURATION_IN_SECONDS)]);
pub(super) static SNOWFLAKE_BUFFERING_HINTS: Shape = Shape::Structure(&[
    optional("SizeInMBs", &SNOWFLAKE_BUFFERING_SIZE_IN_MBS),
    optional("IntervalInSeconds", &SNOWFLAKE_BUFFERING_INTERVAL_IN_SECONDS),
]);
pub(in crate::api) static ICEBERG_DESTINATION_CONFIGURATION: Shape = Shape::Structure(&[
    optional("DestinationTableConfigurationList", &DESTINATION_TABLE_CONFIGURATION_LIST),
    optional("SchemaEvolutionConfiguration", &SCHEMA_EVOLUTION_CONFIGURATION),
    optional("TableCreationConfiguration", &TABLE_CREATION_CONFIGURATION),
    optional("BufferingHints", &BUFFERING_HINTS),
    optional("CloudWatchLoggingOptions", &CLOUD_WATCH_LOGGING_OPTIONS),
    optional("ProcessingConfiguration", &PROCESSING_CONFIGURATION),
    optional("S3BackupMode", &ICEBERG_S3_BACKUP_MODE),
    optional("RetryOptions", &RETRY_OPTIONS),
    required("RoleARN", &ROLE_ARN),
    optional("AppendOnly", &BOOLEAN_OBJECT),
    required("CatalogConfiguration", &CATALOG_CONFIGURATION),
    required("S3Configuration", &S3_DESTINATION_CONFIGURATION),
]);
pub(super) static DESTINATION_TABLE_CONFIGURATION_LIST: Shape = list(&DESTINATION_TABLE_CONFIGURATION, 0, usize::MAX);
pub(super) static DESTINATION_TABLE_CONFIGURATION: Shape = Shape::Structure(&[
    required("DestinationTableName", &STRING_WITH_LETTERS_DIGITS_UNDERSCORES_DOTS),
    required("DestinationDatabaseName", &STRING_WITH_LETTERS_DIGITS_UNDERSCORES_DOTS),
    optional("UniqueKeys", &LIST_OF_NON_EMPTY_STRINGS_WITHOUT_WHITESPACE),
    optional("PartitionSpec", &PARTITION_SPEC),
    optional("S3ErrorOutputPrefix", &ERROR_OUTPUT_PREFIX),
]);
pub(super) static PARTITION_SPEC: Shape = Shape::Structure(&[optional("Identity", &PARTITION_FIELDS)]);
pub(super) static PARTITION_FIELDS: Shape = list(&PARTITION_FIELD, 0, usize::MAX);
pub(super) static PARTITION_FIELD: Shape =
    Shape::Structure(&[required("SourceName", &NON_EMPTY_STRING_WITHOUT_WHITESPACE)]);
pub(super) static SCHEMA_EVOLUTION_CONFIGURATION: Shape = Shape::Structure(&[required("Enabled", &BOOLEAN_OBJECT)]);
pub(super) static TABLE_CREATION_CONFIGURATION: Shape = Shape::Structure(&[required("Enabled", &BOOLEAN_OBJECT)]);
pub(super) static CATALOG_CONFIGURATION: Shape = Shape::Structure(&[
    optional("CatalogARN", &GLUE_DATA_CATALOG_ARN),
    optional("WarehouseLocation", &WAREHOUSE_LOCATION),
]);
pub(super) static DATABASE_SOURCE_CONFIGURATION: Shape = Shape::Structure(&[
    required("Type", &DATABASE_TYPE),
    required("Endpoint", &DATABASE_ENDPOINT),
    required("Port", &DATABASE_PORT),
    optional("SSLMode", &SSL_MODE),
    required("Databases", &DATABASE_LIST),
    required("Tables", &DATABASE_TABLE_LIST),
    optional("Columns", &DATABASE_COLUMN_LIST),
    optional("SurrogateKeys", &DATABASE_SURROGATE_KEY_LIST),
    required("SnapshotWatermarkTable", &DATABASE_TABLE_NAME),
    required("DatabaseSourceAuthenticationConfiguration", &DATABASE_SOURCE_AUTHENTICATION_CONFIGURATION),
    required("DatabaseSourceVPCConfiguration", &DATABASE_SOURCE_VPC_CONFIGURATION),
]);
pub(super) static DATABASE_LIST: Shape = Shape::Structure(&[
    optional("Include", &DATABASE_INCLUDE_OR_EXCLUDE_LIST),
    optional("Exclude", &DATABASE_INCLUDE_OR_EXCLUDE_LIST),
]);
pub(super) static DATABASE_INCLUDE_OR_EXCLUDE_LIST: Shape = list(&DATABASE_NAME, 0, usize::MAX);
pub(super) static DATABASE_TABLE_LIST: Shape = Shape::Structure(&[
    optional("Include", &DATABASE_TABLE_INCLUDE_OR_EXCLUDE_LIST),
    optional("Exclude", &DATABASE_TABLE_INCLUDE_OR_EXCLUDE_LIST),
]);
pub(super) static DATABASE_TABLE_INCLUDE_OR_EXCLUDE_LIST: Shape = list(&DATABASE_TABLE_NAME, 0, usize::MAX);
pub(super) static DATABASE_COLUMN_LIST: Shape = Shape::Structure(&[
    optional("Include", &DATABASE_COLUMN_INCLUDE_OR_EXCLUDE_LIST),
    optional("Exclude", &DATABASE_COLUMN_INCLUDE_OR_EXCLUDE_LIST),
]);
pub(super) static DATABASE_COLUMN_INCLUDE_OR_EXCLUDE_LIST: Shape = list(&DATABASE_COLUMN_NAME, 0, usize::MAX);
pub(super) static DATABASE_SURROGATE_KEY_LIST: Shape = list(&NON_EMPTY_STRING_WITHOUT_WHITESPACE, 0, usize::MAX);
pub(super) static DATABASE_SOURCE_AUTHENTICATION_CONFIGURATION: Shape =
    Shape::Structure(&[required("SecretsManagerConfiguration", &SECRETS_MANAGER_CONFIGURATION)]);
pub(super) static DATABASE_SOURCE_VPC_CONFIGURATION: Shape =
    Shape::Structure(&[required("VpcEndpointServiceName", &VPC_ENDPOINT_SERVICE_NAME)]);
pub(in crate::api) static REDSHIFT_DESTINATION_UPDATE: Shape = Shape::Structure(&[
    optional("RoleARN", &ROLE_ARN),
    optional("ClusterJDBCURL", &CLUSTER_JDBC_URL),
    optional("CopyCommand", &COPY_COMMAND),
    optional("Username", &USERNAME),
    optional("Password", &PASSWORD),
    optional("RetryOptions", &REDSHIFT_RETRY_OPTIONS),
    optional("S3Update", &S3_DESTINATION_UPDATE),
    optional("ProcessingConfiguration", &PROCESSING_CONFIGURATION),
    optional("S3BackupMode", &REDSHIFT_S3_BACKUP_MODE),
    optional("S3BackupUpdate", &S3_DESTINATION_UPDATE),
    optional("CloudWatchLoggingOptions", &CLOUD_WATCH_LOGGING_OPTIONS),
    optional("SecretsManagerConfiguration", &SECRETS_MANAGER_CONFIGURATION),
]);
pub(in crate::api) static ELASTICSEARCH_DESTINATION_UPDATE: Shape = Shape::Structure(&[
    optional("RoleARN", &ROLE_ARN),
    optional("DomainARN", &ELASTICSEARCH_DOMAIN_ARN),
    optional("ClusterEndpoint", &ELASTICSEARCH_CLUSTER_ENDPOINT),
    optional("IndexName", &ELASTICSEARCH_INDEX_NAME),
    optional("TypeName", &ELASTICSEARCH_TYPE_NAME),
    optional("IndexRotationPeriod", &ELASTICSEARCH_INDEX_ROTATION_PERIOD),
    optional("BufferingHints", &ELASTICSEARCH_BUFFERING_HINTS),
    optional("RetryOptions", &ELASTICSEARCH_RETRY_OPTIONS),
    optional("S3Update", &S3_DESTINATION_UPDATE),
    optional("ProcessingConfiguration", &PROCESSING_CONFIGURATION),
    optional("CloudWatchLoggingOptions", &CLOUD_WATCH_LOGGING_OPTIONS),
    optional("DocumentIdOptions", &DOCUMENT_ID_OPTIONS),
]);
pub(in crate::api) static OPENSEARCH_DESTINATION_UPDATE: Shape = Shape::Structure(&[
    optional("RoleARN", &ROLE_ARN),
    optional("DomainARN", &OPENSEARCH_DOMAIN_ARN),
    optional("ClusterEndpoint", &OPENSEARCH_CLUSTER_ENDPOINT),
    optional("IndexName", &OPENSEARCH_INDEX_NAME),
    optional("TypeName", &OPENSEARCH_TYPE_NAME),
    optional("IndexRotationPeriod", &OPENSEARCH_INDEX_ROTATION_PERIOD),
    optional("BufferingHints", &OPENSEARCH_BUFFERING_HINTS),
    optional("RetryOptions", &OPENSEARCH_RETRY_OPTIONS),
    optional("S3Update", &S3_DESTINATION_UPDATE),
    optional("ProcessingConfiguration", &PROCESSING_CONFIGURATION),
    optional("CloudWatchLoggingOptions", &CLOUD_WATCH_LOGGING_OPTIONS),
    optional("DocumentIdOptions", &DOCUMENT_ID_OPTIONS),
]);
pub(in crate::api) static SPLUNK_DESTINATION_UPDATE: Shape = Shape::Structure(&[
    optional("HECEndpoint", &HEC_ENDPOINT),
    optional("HECEndpointType", &HEC_ENDPOINT_TYPE),
    optional("HECToken", &HEC_TOKEN),
    optional("HECAcknowledgmentTimeoutInSeconds", &HEC_ACKNOWLEDGMENT_TIMEOUT_IN_SECONDS),
    optional("RetryOptions", &SPLUNK_RETRY_OPTIONS),
    optional("S3BackupMode", &SPLUNK_S3_BACKUP_MODE),
    optional("S3Update", &S3_DESTINATION_UPDATE),
    optional("ProcessingConfiguration", &PROCESSING_CONFIGURATION),
    optional("CloudWatchLoggingOptions", &CLOUD_WATCH_LOGGING_OPTIONS),
    optional("BufferingHints", &SPLUNK_BUFFERING_HINTS),
    optional("SecretsManagerConfiguration", &SECRETS_MANAGER_CONFIGURATION),
]);
pub(in crate::api) static HTTP_ENDPOINT_DESTINATION_UPDATE: Shape = Shape::Structure(&[
    optional("EndpointConfiguration", &HTTP_ENDPOINT_CONFIGURATION),
    optional("BufferingHints", &HTTP_ENDPOINT_BUFFERING_HINTS),
    optional("CloudWatchLoggingOptions", &CLOUD_WATCH_LOGGING_OPTIONS),
    optional("RequestConfiguration", &HTTP_ENDPOINT_REQUEST_CONFIGURATION),
    optional("ProcessingConfiguration", &PROCESSING_CONFIGURATION),
    optional("RoleARN", &ROLE_ARN),
    optional("RetryOptions", &HTTP_ENDPOINT_RETRY_OPTIONS),
    optional("S3BackupMode", &HTTP_ENDPOINT_S3_BACKUP_MODE),
    optional("S3Update", &S3_DESTINATION_UPDATE),
    optional("SecretsManagerConfiguration", &SECRETS_MANAGER_CONFIGURATION),
]);
pub(in crate::api) static SERVERLESS_DESTINATION_UPDATE: Shape = Shape::Structure(&[
    optional("RoleARN", &ROLE_ARN),
    optional("CollectionEndpoint", &SERVERLESS_COLLECTION_ENDPOINT),
    optional("IndexName", &SERVERLESS_INDEX_NAME),
    optional("BufferingHints", &SERVERLESS_BUFFERING_HINTS),
    optional("RetryOptions", &SERVERLESS_RETRY_OPTIONS),
    optional("S3Update", &S3_DESTINATION_UPDATE),
    optional("ProcessingConfiguration", &PROCESSING_CONFIGURATION),
    optional("CloudWatchLoggingOptions", &CLOUD_WATCH_LOGGING_OPTIONS),
]);
pub(in crate::api) static SNOWFLAKE_DESTINATION_UPDATE: Shape = Shape::Structure(&[
    optional("AccountUrl", &SNOWFLAKE_ACCOUNT_URL),
    optional("PrivateKey", &SNOWFLAKE_PRIVATE_KEY),
    optional("KeyPassphrase", &SNOWFLAKE_KEY_PASSPHRASE),
    optional("User", &SNOWFLAKE_USER),
    optional("Database", &SNOWFLAKE_DATABASE),
    optional("Schema", &SNOWFLAKE_SCHEMA),
    optional("Table", &SNOWFLAKE_TABLE),
    optional("SnowflakeRoleConfiguration", &SNOWFLAKE_ROLE_CONFIGURATION),
    optional("DataLoadingOption", &SNOWFLAKE_DATA_LOADING_OPTION),
    optional("MetaDataColumnName", &SNOWFLAKE_META_DATA_COLUMN_NAME),
    optional("ContentColumnName", &SNOWFLAKE_CONTENT_COLUMN_NAME),
    optional("CloudWatchLoggingOptions", &CLOUD_WATCH_LOGGING_OPTIONS),
    optional("ProcessingConfiguration", &PROCESSING_CONFIGURATION),
    optional("RoleARN", &ROLE_ARN),
    optional("RetryOptions", &SNOWFLAKE_RETRY_OPTIONS),
    optional("S3BackupMode", &SNOWFLAKE_S3_BACKUP_MODE),
    optional("S3Update", &S3_DESTINATION_UPDATE),
    optional("SecretsManagerConfiguration", &SECRETS_MANAGER_CONFIGURATION),
    optional("BufferingHints", &SNOWFLAKE_BUFFERING_HINTS),
]);
pub(in crate::api) static ICEBERG_DESTINATION_UPDATE: Shape = Shape::Structure(&[
    optional("DestinationTableConfigurationList", &DESTINATION_TABLE_CONFIGURATION_LIST),
    optional("SchemaEvolutionConfiguration", &SCHEMA_EVOLUTION_CONFIGURATION),
    optional("TableCreationConfiguration", &TABLE_CREATION_CONFIGURATION),
    optional("BufferingHints", &BUFFERING_HINTS),
    optional("CloudWatchLoggingOptions", &CLOUD_WATCH_LOGGING_OPTIONS),
    optional("ProcessingConfiguration", &PROCESSING_CONFIGURATION),
    optional("S3BackupMode", &ICEBERG_S3_BACKUP_MODE),
    optional("RetryOptions", &RETRY_OPTIONS),
    optional("RoleARN", &ROLE_ARN),
    optional("AppendOnly", &BOOLEAN_OBJECT),
    optional("CatalogConfiguration", &CATALOG_CONFIGURATION),
    optional("S3Configuration", &S3_DESTINATION_CONFIGURATION),
]);

pub(super) static KINESIS_STREAM_ARN: Shape =
    text(1, 512, Pattern::new(r"arn:.*:kinesis:[a-zA-Z0-9\-]+:\d{12}:stream/[a-zA-Z0-9_.-]+"));
pub(super) static CLUSTER_JDBC_URL: Shape = text(
    1,
    512,
    Pattern::printed(
        r"jdbc:(redshift|postgresql)://((?!-)[A-Za-z0-9-]{1,63}(?<!-)\.)+(redshift(-serverless)?)\.([a-zA-Z0-9\.\-]+):\d{1,5}/[a-zA-Z0-9_$-]+",
        r"jdbc:(redshift|postgresql)://([A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?\.)+(redshift(-serverless)?)\.([a-zA-Z0-9\.\-]+):\d{1,5}/[a-zA-Z0-9_$-]+",
    ),
);
pub(super) static DATA_TABLE_NAME: Shape = text(1, 512, Pattern::new(r".*"));
pub(super) static DATA_TABLE_COLUMNS: Shape = text(0, 10_240, Pattern::new(r".*"));
pub(super) static COPY_OPTIONS: Shape = text(0, 10_240, Pattern::new(r".*"));
pub(super) static USERNAME: Shape = text(1, 512, Pattern::new(r".*"));
pub(super) static PASSWORD: Shape = text(6, 512, Pattern::new(r".*"));
pub(super) static REDSHIFT_RETRY_DURATION_IN_SECONDS: Shape = integer(0, 7200);
pub(super) static REDSHIFT_S3_BACKUP_MODE: Shape = Shape::Enum(&["Disabled", "Enabled"]);
pub(super) static SECRET_ARN: Shape =
    text(1, 2048, Pattern::new(r"arn:.*:secretsmanager:[a-zA-Z0-9\-]+:\d{12}:secret:[a-zA-Z0-9\-/_+=.@!]+"));
pub(super) static ELASTICSEARCH_DOMAIN_ARN: Shape =
    text(1, 512, Pattern::new(r"arn:.*:es:[a-zA-Z0-9\-]+:\d{12}:domain/[a-z][-0-9a-z]{2,27}"));
pub(super) static ELASTICSEARCH_CLUSTER_ENDPOINT: Shape =
    address(512, Pattern::new(r"https:.*"), Pattern::new(r"https?:.*"));
pub(super) static ELASTICSEARCH_INDEX_NAME: Shape = text(1, 80, Pattern::new(r".*"));
pub(super) static ELASTICSEARCH_TYPE_NAME: Shape = text(0, 100, Pattern::new(r".*"));
pub(super) static ELASTICSEARCH_INDEX_ROTATION_PERIOD: Shape =
    Shape::Enum(&["NoRotation", "OneHour", "OneDay", "OneWeek", "OneMonth"]);
pub(super) static ELASTICSEARCH_BUFFERING_INTERVAL_IN_SECONDS: Shape = integer(0, 900);
pub(super) static ELASTICSEARCH_BUFFERING_SIZE_IN_MBS: Shape = integer(1, 100);
pub(super) static ELASTICSEARCH_RETRY_DURATION_IN_SECONDS: Shape = integer(0, 7200);
pub(super) static ELASTICSEARCH_S3_BACKUP_MODE: Shape = Shape::Enum(&["FailedDocumentsOnly", "AllDocuments"]);
pub(super) static DEFAULT_DOCUMENT_ID_FORMAT: Shape = Shape::Enum(&["FIREHOSE_DEFAULT", "NO_DOCUMENT_ID"]);
pub(super) static OPENSEARCH_DOMAIN_ARN: Shape =
    text(1, 512, Pattern::new(r"arn:.*:es:[a-zA-Z0-9\-]+:\d{12}:domain/[a-z][-0-9a-z]{2,27}"));
pub(super) static OPENSEARCH_CLUSTER_ENDPOINT: Shape =
    address(512, Pattern::new(r"https:.*"), Pattern::new(r"https?:.*"));
pub(super) static OPENSEARCH_INDEX_NAME: Shape = text(1, 80, Pattern::new(r".*"));
pub(super) static OPENSEARCH_TYPE_NAME: Shape = text(0, 100, Pattern::new(r".*"));
pub(super) static OPENSEARCH_INDEX_ROTATION_PERIOD: Shape =
    Shape::Enum(&["NoRotation", "OneHour", "OneDay", "OneWeek", "OneMonth"]);
pub(super) static OPENSEARCH_BUFFERING_INTERVAL_IN_SECONDS: Shape = integer(0, 900);
pub(super) static OPENSEARCH_BUFFERING_SIZE_IN_MBS: Shape = integer(1, 100);
pub(super) static OPENSEARCH_RETRY_DURATION_IN_SECONDS: Shape = integer(0, 7200);
pub(super) static OPENSEARCH_S3_BACKUP_MODE: Shape = Shape::Enum(&["FailedDocumentsOnly", "AllDocuments"]);
pub(super) static HEC_ENDPOINT: Shape = text(0, 2048, Pattern::new(r".*"));
pub(super) static HEC_ENDPOINT_TYPE: Shape = Shape::Enum(&["Raw", "Event"]);
pub(super) static HEC_TOKEN: Shape = text(0, 2048, Pattern::new(r".*"));
pub(super) static HEC_ACKNOWLEDGMENT_TIMEOUT_IN_SECONDS: Shape = integer(180, 600);
pub(super) static SPLUNK_RETRY_DURATION_IN_SECONDS: Shape = integer(0, 7200);
pub(super) static SPLUNK_S3_BACKUP_MODE: Shape = Shape::Enum(&["FailedEventsOnly", "AllEvents"]);
pub(super) static SPLUNK_BUFFERING_INTERVAL_IN_SECONDS: Shape = integer(0, 60);
pub(super) static SPLUNK_BUFFERING_SIZE_IN_MBS: Shape = integer(1, 5);
pub(super) static HTTP_ENDPOINT_URL: Shape = address(1000, Pattern::new(r"https://.*"), Pattern::new(r"https?://.*"));
pub(super) static HTTP_ENDPOINT_NAME: Shape = text(1, 256, Pattern::judged(r"^(?!\s*$).+", not_blank));
pub(super) static HTTP_ENDPOINT_ACCESS_KEY: Shape = text(0, 4096, Pattern::new(r".*"));
pub(super) static HTTP_ENDPOINT_BUFFERING_SIZE_IN_MBS: Shape = integer(1, 64);
pub(super) static HTTP_ENDPOINT_BUFFERING_INTERVAL_IN_SECONDS: Shape = integer(0, 900);
pub(super) static CONTENT_ENCODING: Shape = Shape::Enum(&["NONE", "GZIP"]);
pub(super) static HTTP_ENDPOINT_ATTRIBUTE_NAME: Shape = text(1, 256, Pattern::judged(r"^(?!\s*$).+", not_blank));
pub(super) static HTTP_ENDPOINT_ATTRIBUTE_VALUE: Shape = text(0, 1024, Pattern::new(r".*"));
pub(super) static HTTP_ENDPOINT_RETRY_DURATION_IN_SECONDS: Shape = integer(0, 7200);
pub(super) static HTTP_ENDPOINT_S3_BACKUP_MODE: Shape = Shape::Enum(&["FailedDataOnly", "AllData"]);
pub(super) static SERVERLESS_COLLECTION_ENDPOINT: Shape =
    address(512, Pattern::new(r"https:.*"), Pattern::new(r"https?:.*"));
pub(super) static SERVERLESS_INDEX_NAME: Shape = text(1, 80, Pattern::new(r".*"));
pub(super) static SERVERLESS_BUFFERING_INTERVAL_IN_SECONDS: Shape = integer(0, 900);
pub(super) static SERVERLESS_BUFFERING_SIZE_IN_MBS: Shape = integer(1, 100);
pub(super) static SERVERLESS_RETRY_DURATION_IN_SECONDS: Shape = integer(0, 7200);
pub(super) static SERVERLESS_S3_BACKUP_MODE: Shape = Shape::Enum(&["FailedDocumentsOnly", "AllDocuments"]);
pub(super) static MSK_CLUSTER_ARN: Shape = text(1, 512, Pattern::new(r"arn:.*"));
pub(super) static TOPIC_NAME: Shape = text(1, 255, Pattern::new(r"[a-zA-Z0-9\\._\\-]+"));
pub(super) static CONNECTIVITY: Shape = Shape::Enum(&["PUBLIC", "PRIVATE"]);
pub(super) static READ_FROM_TIMESTAMP: Shape = Shape::Timestamp;
pub(super) static SNOWFLAKE_ACCOUNT_URL: Shape = text(24, 2048, Pattern::new(r".+?\.snowflakecomputing\.com"));
pub(super) static SNOWFLAKE_PRIVATE_KEY: Shape =
    text(256, 4096, Pattern::new(r"^(?:[A-Za-z0-9+\/]{4})*(?:[A-Za-z0-9+\/]{2}==|[A-Za-z0-9+\/]{3}=)?$"));
pub(super) static SNOWFLAKE_KEY_PASSPHRASE: Shape = plain_text(7, 255);
pub(super) static SNOWFLAKE_USER: Shape = plain_text(1, 255);
pub(super) static SNOWFLAKE_DATABASE: Shape = plain_text(1, 255);
pub(super) static SNOWFLAKE_SCHEMA: Shape = plain_text(1, 255);
pub(super) static SNOWFLAKE_TABLE: Shape = plain_text(1, 255);
pub(super) static SNOWFLAKE_ROLE: Shape = plain_text(1, 255);
pub(super) static SNOWFLAKE_DATA_LOADING_OPTION: Shape =
    Shape::Enum(&["JSON_MAPPING", "VARIANT_CONTENT_MAPPING", "VARIANT_CONTENT_AND_METADATA_MAPPING"]);
pub(super) static SNOWFLAKE_META_DATA_COLUMN_NAME: Shape = plain_text(1, 255);
pub(super) static SNOWFLAKE_CONTENT_COLUMN_NAME: Shape = plain_text(1, 255);
pub(super) static SNOWFLAKE_PRIVATE_LINK_VPCE_ID: Shape =
    text(47, 255, Pattern::new(r"([a-zA-Z0-9\-\_]+\.){2,3}vpce\.[a-zA-Z0-9\-]*\.vpce-svc\-[a-zA-Z0-9\-]{17}$"));
pub(super) static SNOWFLAKE_RETRY_DURATION_IN_SECONDS: Shape = integer(0, 7200);
pub(super) static SNOWFLAKE_S3_BACKUP_MODE: Shape = Shape::Enum(&["FailedDataOnly", "AllData"]);
pub(super) static SNOWFLAKE_BUFFERING_SIZE_IN_MBS: Shape = integer(1, 128);
pub(super) static SNOWFLAKE_BUFFERING_INTERVAL_IN_SECONDS: Shape = integer(0, 900);
pub(super) static STRING_WITH_LETTERS_DIGITS_UNDERSCORES_DOTS: Shape = text(1, 255, Pattern::new(r"[a-zA-Z0-9\.\_]+"));
pub(super) static ICEBERG_S3_BACKUP_MODE: Shape = Shape::Enum(&["FailedDataOnly", "AllData"]);
pub(super) static GLUE_DATA_CATALOG_ARN: Shape =
    text(1, 512, Pattern::new(r"arn:.*:glue:.*:\d{12}:catalog(?:(/[a-z0-9_-]+){1,2})?"));
pub(super) static WAREHOUSE_LOCATION: Shape = text(1, 2048, Pattern::new(r"s3:\/\/.*"));
pub(super) static DATABASE_TYPE: Shape = Shape::Enum(&["MySQL", "PostgreSQL"]);
pub(super) static DATABASE_ENDPOINT: Shape = text(1, 255, Pattern::judged(r"^(?!\s*$).+", not_blank));
pub(super) static DATABASE_PORT: Shape = integer(0, 65_535);
pub(super) static SSL_MODE: Shape = Shape::Enum(&["Disabled", "Enabled"]);
pub(super) static DATABASE_NAME: Shape = text(1, 64, Pattern::new(r"[\u0001-\uFFFF]*"));
pub(super) static DATABASE_TABLE_NAME: Shape = text(1, 129, Pattern::new(r"[\u0001-\uFFFF]*"));
pub(super) static DATABASE_COLUMN_NAME: Shape = text(1, 194, Pattern::new(r"[\u0001-\uFFFF]*"));
pub(super) static VPC_ENDPOINT_SERVICE_NAME: Shape =
    text(47, 255, Pattern::new(r"([a-zA-Z0-9\-\_]+\.){2,3}vpce\.[a-zA-Z0-9\-]*\.vpce-svc\-[a-zA-Z0-9\-]{17}$"));
