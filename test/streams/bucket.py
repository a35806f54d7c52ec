"""A bucket of moto, a server that checks signatures: `create` makes it with a key of its own, `read` prints its lines."""

import gzip
import json
import sys

import boto3
from botocore.config import Config

POLICY = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Action": "s3:*", "Resource": "*"}],
}


def connect(service: str, endpoint: str, key: str, secret: str):
    return boto3.client(
        service,
        endpoint_url=endpoint,
        region_name="eu-central-1",
        aws_access_key_id=key,
        aws_secret_access_key=secret,
        config=Config(s3={"addressing_style": "path"}),
    )


def create(endpoint: str, bucket: str) -> dict:
    """Four calls, which the server accepts before it checks signatures."""
    iam = connect("iam", endpoint, "unchecked", "unchecked")
    iam.create_user(UserName="stream")
    key = iam.create_access_key(UserName="stream")["AccessKey"]
    iam.put_user_policy(UserName="stream", PolicyName="all", PolicyDocument=json.dumps(POLICY))
    connect("s3", endpoint, "unchecked", "unchecked").create_bucket(
        Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": "eu-central-1"}
    )
    return {"access_key_id": key["AccessKeyId"], "secret_access_key": key["SecretAccessKey"]}


def read(endpoint: str, bucket: str, prefix: str, key: str, secret: str) -> dict:
    """The names of the objects in their order, and the lines of all of them."""
    s3 = connect("s3", endpoint, key, secret)
    pages = s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix)
    names = [item["Key"] for page in pages for item in page.get("Contents", [])]
    lines = []
    for name in sorted(names):
        body = s3.get_object(Bucket=bucket, Key=name)["Body"].read()
        lines += gzip.decompress(body).decode("utf-8").splitlines()
    return {"names": sorted(names), "lines": lines}


if __name__ == "__main__":
    command, *arguments = sys.argv[1:]
    print(json.dumps({"create": create, "read": read}[command](*arguments)))
