# terraform init -backend-config=../state.hcl
bucket = "meridian-terraform-111122223333"
region = "us-east-1"
