"""What the operator decided: every setting once, with its name, default, meaning and check.

The environment, `.env` and the bot config file go in; one frozen `Settings` comes out, or all mistakes at once as a
ConfigError. It opens no connection, and no message of it holds a secret.
"""
