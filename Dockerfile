# BASE is Debian with Python 3.11 or later and its venv; `make image` makes one from Debian packages alone.
ARG BASE=python:3.11-slim-bookworm
FROM ${BASE} AS build
WORKDIR /src
COPY requirements.txt ./
# pip has done its work then, and nothing in the image installs anything any more.
RUN python3 -m venv /opt/casella \
 && /opt/casella/bin/pip install --no-cache-dir --only-binary :all: --require-hashes -r requirements.txt \
 && /opt/casella/bin/pip uninstall -y setuptools pip
COPY LICENSE /opt/casella/
COPY service service
# The guides that the service shows, as in the wheel.
COPY docs service/site/texts/docs
COPY SECURITY.md CHANGELOG.md service/site/texts/
COPY helm/README.md service/site/texts/helm/
RUN site="$(/opt/casella/bin/python -c 'import sysconfig; print(sysconfig.get_path("purelib"))')" \
 && cp -r service "$site" \
 && /opt/casella/bin/python -m compileall -q "$site/service"

FROM ${BASE}
LABEL org.opencontainers.image.title="Casella" \
      org.opencontainers.image.description="One HTTP/JSON API in front of any mailbox, by IMAP or POP3." \
      org.opencontainers.image.licenses="GPL-3.0-or-later"
COPY --from=build /opt/casella /opt/casella
# The root file system may be read-only: nothing is written but large messages on their way, into /tmp.
ENV PATH=/opt/casella/bin:$PATH PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1
WORKDIR /tmp
USER 10001:10001
EXPOSE 8000
HEALTHCHECK --start-period=10s --timeout=5s CMD ["python", "-c", "from urllib.request import urlopen; urlopen('http://127.0.0.1:8000/healthz', timeout=4)"]
ENTRYPOINT ["/opt/casella/bin/python", "-m", "service"]
CMD ["serve", "--host", "0.0.0.0", "--port", "8000"]
