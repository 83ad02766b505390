# syntax=docker/dockerfile:1
FROM python:3.11-slim-bookworm AS build
WORKDIR /src
COPY requirements/core.txt requirements/core.txt
RUN python -m venv /opt/zhixu \
 && /opt/zhixu/bin/pip install --no-cache-dir --disable-pip-version-check -r requirements/core.txt "psycopg[binary]==3.3.9"
COPY . .
RUN /opt/zhixu/bin/pip install --no-cache-dir --disable-pip-version-check --no-deps .

FROM python:3.11-slim-bookworm
RUN groupadd --system --gid 10001 zhixu \
 && useradd --system --uid 10001 --gid zhixu --home-dir /var/lib/zhixu --create-home zhixu
COPY --from=build /opt/zhixu /opt/zhixu
COPY deploy/start.sh /usr/local/bin/zhixu-start
ENV PATH=/opt/zhixu/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    OMP_NUM_THREADS=1 \
    ZHIXU_LEDGER=sqlite:////var/lib/zhixu/zhixu.sqlite
USER 10001:10001
WORKDIR /var/lib/zhixu
VOLUME /var/lib/zhixu
EXPOSE 8000
HEALTHCHECK --interval=15s --timeout=3s --start-period=20s --retries=3 \
  CMD ["python", "-c", "import urllib.request as u; u.urlopen('http://127.0.0.1:8000/healthz', timeout=2)"]
ENTRYPOINT ["sh", "/usr/local/bin/zhixu-start"]
CMD ["zhixu", "serve", "--host", "0.0.0.0", "--port", "8000"]
