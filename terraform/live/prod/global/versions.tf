terraform {
  required_version = ">= 1.11"
  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = "~> 6.66"
    }
  }
  # Path is identity. Bucket and its region come from -backend-config=../state.hcl.
  backend "s3" {
    key          = "live/prod/global/terraform.tfstate"
    encrypt      = true
    use_lockfile = true
  }
}

provider "aws" {
  region              = local.environment.home_region
  allowed_account_ids = [local.environment.account_id]
  default_tags {
    tags = { project = module.footprint.name, environment = basename(dirname(abspath(path.root))), root = "global" }
  }
}
