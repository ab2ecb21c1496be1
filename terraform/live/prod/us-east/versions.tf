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
    key          = "live/prod/us-east/terraform.tfstate"
    encrypt      = true
    use_lockfile = true
  }
}

provider "aws" {
  region              = module.footprint.regions[local.region].cloud_region
  allowed_account_ids = [local.environment.account_id]
  default_tags {
    tags = { project = module.footprint.name, environment = basename(dirname(abspath(path.root))), root = local.region }
  }
}
