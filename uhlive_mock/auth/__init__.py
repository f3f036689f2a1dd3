"""The realm: its tokens and its token endpoint, shaped as Keycloak's. Pure: time is an argument."""
