"""How to ask the table, for the person who ran `make up`."""

from local.up.aws import ACCESS_KEY, SECRET, Account


def command(account: Account) -> str:
    """A command that shows its items."""
    name = account.outputs()["TableName"]
    headers = "-H 'x-amz-target: DynamoDB_20120810.Scan' -H 'content-type: application/x-amz-json-1.0'"
    signed = f"--aws-sigv4 aws:amz:{account.region}:dynamodb --user {ACCESS_KEY}:{SECRET}"
    return f'curl -s {signed} {headers} {account.endpoint} -d \'{{"TableName": "{name}"}}\''
