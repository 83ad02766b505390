"""Typed client of the Zhixu service: `Client("https://…", key="zx_…").classify("停水两天了")`."""

from zhixu_client.answers import Identification, Job, Match, Need, Response
from zhixu_client.client import Client, ZhixuError

__all__ = ["Client", "Identification", "Job", "Match", "Need", "Response", "ZhixuError"]
