terraform {
  required_version = ">= 1.11"
  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = "~> 6.66"
    }
  }
  # Path is identity. Bucket and its region come from -backend-config=state.hcl.
  backend "s3" {
    key          = "single/terraform.tfstate"
    encrypt      = true
    use_lockfile = true
  }
}

provider "aws" {
  region              = local.region.cloud_region
  allowed_account_ids = [local.settings.account_id]
  default_tags {
    tags = { project = module.footprint.name, environment = "single", root = "single" }
  }
}
