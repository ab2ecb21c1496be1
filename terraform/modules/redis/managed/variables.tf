variable "name" {
  description = "Prefix of names."
  type        = string
}

variable "cloud_region" {
  description = "The provider's region."
  type        = string
}

variable "subnet_ids" {
  description = "Subnets of the nodes, one a zone."
  type        = list(string)
}

variable "group" {
  description = "Security group of the nodes."
  type        = string
}

variable "port" {
  description = "Port of the nodes."
  type        = number
}

variable "key_arn" {
  description = "Key of data at rest."
  type        = string
}

variable "shards" {
  description = "Shards."
  type        = number

  validation {
    condition     = var.shards >= 1 && var.shards <= 166
    error_message = "shards: ElastiCache has 500 nodes in a cluster, 166 shards of three."
  }
}

variable "node_type" {
  description = "Type of the nodes."
  type        = string
}
