ARG BASE=python:3.11-slim-bookworm
FROM ${BASE} AS build
WORKDIR /src
COPY requirements.txt ./
RUN python3 -m venv /opt/casella \
 && /opt/casella/bin/pip install --no-cache-dir --require-hashes -r requirements.txt
COPY pyproject.toml README.md LICENSE ./
COPY service service
RUN cp -r service "$(/opt/casella/bin/python -c 'import sysconfig; print(sysconfig.get_path("purelib"))')/service"

FROM ${BASE}
COPY --from=build /opt/casella /opt/casella
USER 10001:10001
EXPOSE 8000
ENTRYPOINT ["/opt/casella/bin/python", "-m", "service"]
CMD ["serve", "--host", "0.0.0.0", "--port", "8000"]
