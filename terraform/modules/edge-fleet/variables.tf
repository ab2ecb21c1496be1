variable "name" {
  description = "Prefix of names, for example meridian-us-east."
  type        = string

  validation {
    condition     = length("${var.name}-edge") <= 32
    error_message = "name: a balancer's name has 32 characters."
  }
}

variable "region" {
  description = "Our name of the region."
  type        = string
}

variable "cloud_region" {
  description = "The provider's region."
  type        = string
}

variable "account_id" {
  description = "AWS account."
  type        = string
}

variable "vpc_id" {
  description = "The region's VPC."
  type        = string
}

variable "public_subnets" {
  description = "Zone -> subnet of the balancer and its IPv6 network."
  type        = map(object({ id = string, ipv6 = string }))

  validation {
    condition     = length(var.public_subnets) == 3
    error_message = "public_subnets: the balancer stands in three zones."
  }
}

variable "balancer_networks" {
  description = "Networks that PROXY headers are taken from: the balancer's subnets."
  type        = list(string)

  validation {
    condition     = !contains(var.balancer_networks, "0.0.0.0/0")
    error_message = "balancer_networks: whoever may send PROXY headers may claim any address; name the balancer's subnets."
  }
}

variable "subnet_ids" {
  description = "Subnets of the edges."
  type        = list(string)
}

variable "groups" {
  description = "Security groups."
  type        = map(string)
}

variable "ports" {
  description = "Ports of a region (sizing)."
  type        = map(number)
}

variable "fleet" {
  description = "Numbers of hosts, edges and connections (sizing)."
  type = object({
    min_hosts            = number
    full_hosts           = number
    max_hosts            = number
    connections_per_host = number
    connections_per_edge = number
    edges_per_host       = number
  })
}

variable "balancer" {
  description = "Addresses of the balancer beyond the first (sizing)."
  type        = object({ secondary_addresses = number })
}

variable "drain" {
  description = "Seconds of drain, hook and deregistration (sizing)."
  type        = object({ seconds = number, hook_seconds = number, deregister_seconds = number })
}

variable "scaling" {
  description = "R33's figures (sizing)."
  type        = map(number)
}

variable "warm_hosts" {
  description = "Hosts that stand by, stopped."
  type        = number
  default     = 1
}

variable "instance_type" {
  description = "Type of the edge hosts; as many cores as fleet.edges_per_host."
  type        = string
}

variable "hosts" {
  description = "What every host of the region is made of: image (Debian 12), release and bucket of our packages, key of secrets and disks; and where its log lines go (modules/host; null: nowhere)."
  type = object({
    image_id = string
    release  = string
    bucket   = object({ name = string, arn = string })
    key_arn  = string
    logs = optional(object({
      url       = string
      user      = string
      authority = string
      secret    = object({ name = string, arn = string })
    }))
  })
}

variable "secrets" {
  description = "Secrets by file name."
  type        = map(object({ name = string, arn = string }))
}

variable "routers" {
  description = "Link addresses of the region's routers."
  type        = list(string)
}

variable "redis" {
  description = "How to reach Redis, and what an acknowledgement means there."
  type        = object({ nodes = list(string), user = string, durability = string, replicas = number })
}

variable "token" {
  description = "Issuer and audience of players' tokens; whether guests may play."
  type        = object({ issuer = string, audience = string, guests = bool })
}

variable "hostnames" {
  description = "Names under which players reach this region."
  type        = list(string)
}

variable "regions" {
  description = "All regions as players reach them, \"NAME https://HOST\", nearest to this one first: what they fall back on, and whose pages may come here."
  type        = list(string)
  default     = []
}

variable "settings" {
  description = "More keys of the edges' configuration, or other values."
  type        = any
  default     = {}
}

variable "sticky" {
  description = "Whether a client address keeps its host (R33)."
  type        = bool
  default     = true
}

variable "deletion_protection" {
  description = "Whether the balancer refuses to be deleted."
  type        = bool
  default     = true
}

variable "alarm_topics" {
  description = "Where alarms go."
  type        = list(string)
}

variable "watch" {
  description = "Where metrics go, and of which region they are."
  type        = object({ url = string, region = string })
}
