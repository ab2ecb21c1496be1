# One region. The folder's name is the region's name; this file is the same in every region's folder.

locals {
  environment = yamldecode(file("${path.root}/../environment.yaml"))
  region      = basename(abspath(path.root))
}

module "footprint" {
  source         = "../../../modules/regions"
  footprint_file = "${path.root}/../../../../geo/footprint.yaml"
}

module "region" {
  source    = "../../../modules/region"
  region    = local.region
  footprint = module.footprint
  settings  = local.environment
}
