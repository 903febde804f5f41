"""What ships in the zip. Imports only itself, the standard library and lambda_src/requirements.txt."""
