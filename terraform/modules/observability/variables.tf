variable "name" {
  description = "Prefix of names."
  type        = string
}

variable "cloud_region" {
  description = "The provider's region."
  type        = string
}

variable "topic" {
  description = "Where alarms go."
  type        = string
}

variable "balancer_arn_suffix" {
  description = "The balancer, as its metrics name it."
  type        = string
}

variable "group" {
  description = "The edges' auto-scaling group."
  type        = string
}

variable "min_hosts" {
  description = "Least edge hosts."
  type        = number
}

variable "max_hosts" {
  description = "Most edge hosts."
  type        = number
}

variable "instances" {
  description = "Hosts that are watched one by one: name -> instance."
  type        = map(string)
  default     = {}
}

variable "redis_nodes" {
  description = "Nodes of managed Redis, as ElastiCache names them."
  type        = set(string)
  default     = []
}
