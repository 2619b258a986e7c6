__version__ = "${PRODUCT_VERSION}"
