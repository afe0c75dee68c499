"""Argo Server's REST API over the controller: thin routes, Argo's errors."""
