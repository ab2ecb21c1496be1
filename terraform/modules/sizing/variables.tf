variable "capacity_players" {
  description = "Concurrent players at which the region is full (footprint)."
  type        = number

  validation {
    condition     = var.capacity_players >= 1 && var.capacity_players <= 100000000
    error_message = "capacity_players: 1 to 100 million."
  }
}

variable "connections_per_core" {
  description = "Connections that one edge process, on one core, carried in a measurement at the traffic of real games (R1)."
  type        = number
  default     = 20000

  validation {
    condition     = var.connections_per_core >= 100 && var.connections_per_core <= 500000
    error_message = "connections_per_core: 100 to 500000."
  }
}

variable "safety_factor" {
  description = "Measured connections are divided by this (R2)."
  type        = number
  default     = 2

  validation {
    condition     = var.safety_factor >= 1
    error_message = "safety_factor: 1 or more."
  }
}

variable "host_cores" {
  description = "Cores of an edge host; one edge process each."
  type        = number
  default     = 16

  validation {
    condition     = var.host_cores >= 1 && var.host_cores <= 192
    error_message = "host_cores: 1 to 192."
  }
}

variable "quiet_share" {
  description = "Hosts that always run, as a share of those of a full region: what the quietest hour needs."
  type        = number
  default     = 0.25

  validation {
    condition     = var.quiet_share > 0 && var.quiet_share <= 1
    error_message = "quiet_share: above 0, at most 1."
  }
}

variable "playing_share" {
  description = "Share of the connected players who are in a game."
  type        = number
  default     = 0.3

  validation {
    condition     = var.playing_share > 0 && var.playing_share <= 1
    error_message = "playing_share: above 0, at most 1."
  }
}

variable "seconds_between_moves" {
  description = "Seconds between two moves of one player in a game."
  type        = number
  default     = 10

  validation {
    condition     = var.seconds_between_moves > 0
    error_message = "seconds_between_moves: more than 0."
  }
}

variable "moves_per_shard_second" {
  description = "Moves a second that keep one Redis primary's core busy (measured: 313 us a move)."
  type        = number
  default     = 3200

  validation {
    condition     = var.moves_per_shard_second > 0
    error_message = "moves_per_shard_second: more than 0."
  }
}

variable "redis_shards_per_group" {
  description = "Redis processes on one host of a group; leave the host a core or two. A multiple of 3 spreads the primaries evenly."
  type        = number
  default     = 6

  validation {
    condition     = var.redis_shards_per_group >= 3 && var.redis_shards_per_group % 3 == 0
    error_message = "redis_shards_per_group: a multiple of 3."
  }
}

variable "metrics_days" {
  description = "Days for which Prometheus keeps what it knows."
  type        = number
  default     = 15

  validation {
    condition     = var.metrics_days >= 1 && var.metrics_days <= 90
    error_message = "metrics_days: 1 to 90."
  }
}
