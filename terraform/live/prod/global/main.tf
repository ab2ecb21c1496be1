# What the regions share. Applied after every region of the footprint.

locals {
  environment = yamldecode(file("${path.root}/../environment.yaml"))
}

module "footprint" {
  source         = "../../../modules/regions"
  footprint_file = "${path.root}/../../../../geo/footprint.yaml"
}

data "terraform_remote_state" "region" {
  for_each = module.footprint.regions
  backend  = var.state_backend
  config = var.state_backend == "s3" ? {
    bucket = local.environment.state_bucket
    region = local.environment.home_region
    key    = "live/${basename(dirname(abspath(path.root)))}/${each.key}/terraform.tfstate"
    } : {
    path = "${path.root}/../${each.key}/terraform.tfstate"
  }
}

module "global" {
  source      = "../../../modules/global"
  home_region = local.environment.home_region
  footprint   = module.footprint
  regions     = { for name, state in data.terraform_remote_state.region : name => state.outputs.region }
  settings    = local.environment
}
