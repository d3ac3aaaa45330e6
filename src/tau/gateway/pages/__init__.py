"""The dashboard's pages: made on the server, whole without JavaScript."""
