variable "cloud_region" {
  description = "The provider's region, for the AWS tools."
  type        = string
}

variable "bucket" {
  description = "Bucket with packages/RELEASE/*.deb."
  type        = string
}

variable "release" {
  description = "Version of the packages."
  type        = string

  validation {
    condition     = can(regex("^[0-9A-Za-z][0-9A-Za-z.+~-]*$", var.release))
    error_message = "release: a version such as 1.0.0."
  }
}

variable "packages" {
  description = "Our packages that this host runs."
  type        = list(string)

  validation {
    condition     = alltrue([for p in var.packages : can(regex("^meridian-(edge|router|geo|ctl)$", p))])
    error_message = "packages: meridian-edge, meridian-router, meridian-geo, meridian-ctl."
  }
}

variable "tools" {
  description = "Debian packages that are needed beside them."
  type        = list(string)
  default     = []
}

variable "units" {
  description = "systemd units to enable and start; @N@ stands for the number of each process."
  type        = list(string)
}

variable "owner" {
  description = "System user who may read the secrets."
  type        = string
  default     = "meridian"
}

variable "processes" {
  description = "How many processes @N@ counts."
  type        = number
  default     = 1
}

variable "admin_port" {
  description = "Admin ports are this plus the process' number."
  type        = number
  default     = 7400
}

variable "bus_port" {
  description = "Bus ports are this plus the process' number."
  type        = number
  default     = 7500
}

variable "data_dir" {
  description = "Where the data disk goes; empty: there is none."
  type        = string
  default     = ""
}

variable "environment" {
  description = "More lines of host.env."
  type        = map(string)
  default     = {}

  validation {
    condition     = alltrue([for v in values(var.environment) : !strcontains(v, "'")])
    error_message = "environment: values stand in single quotes."
  }
}

variable "secrets" {
  description = "File below /etc/meridian/secrets -> name of the secret."
  type        = map(string)
  default     = {}
}

variable "files" {
  description = "Path -> content; those of /usr/local/lib/meridian are executable, X.in below /etc/meridian has its placeholders filled at boot."
  type        = map(string)
  default     = {}
}

variable "watch" {
  description = "Where this host's metrics go (Prometheus' write interface; null: a Prometheus of this host reads them, whose files the caller gives), of which region they are, and what is asked for them: file of targets, which begins with its job and may have @N@ in it -> address, and labels beyond region and host. Null: nobody watches."
  type = object({
    url     = optional(string)
    region  = string
    targets = map(object({ address = string, labels = optional(map(string), {}) }))
  })
  default = null

  validation {
    condition     = alltrue([for name in flatten([for w in var.watch[*] : keys(w.targets)]) : can(regex("^(edge|router|geo|redis)(-@N@)?$", name))])
    error_message = "watch.targets: edge, router, geo or redis, with -@N@ where a host runs many."
  }
}

variable "logs" {
  description = "Where this host's log lines go: Elasticsearch with its port, as whom, the authority of its certificate (PEM; empty: those that Debian trusts), the secret with the password. Null: nowhere."
  type        = object({ url = string, user = string, authority = string, secret = object({ name = string, arn = string }) })
  default     = null

  validation {
    condition     = alltrue([for l in var.logs[*] : can(regex("^https://[A-Za-z0-9.-]+:[0-9]+$", l.url))])
    error_message = "logs.url: https://HOST:PORT; lines and password go there."
  }
  validation {
    condition     = alltrue([for l in var.logs[*] : can(regex("^[A-Za-z0-9_.@-]+$", l.user))])
    error_message = "logs.user: a name of letters, digits and _ . @ -"
  }
  validation {
    condition     = alltrue([for l in var.logs[*] : l.authority == "" || startswith(l.authority, "-----BEGIN CERTIFICATE-----")])
    error_message = "logs.authority: a certificate, PEM, or empty."
  }
}

variable "reloads" {
  description = "Units that are told (SIGHUP) when a secret has a new value; empty: none."
  type        = string
  default     = ""
}
